"""Sealing: what is kept opens with the right key in the right place, and nowhere else."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.stores.sealing import CannotOpen, NoMasterKey, Sealer, master_of, new_master_key, open_, seal

__all__: list[str] = []

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@settings(max_examples=50)
@given(plain=st.binary(max_size=300), context=st.text(max_size=40))
def test_what_is_sealed_opens_again(plain: bytes, context: str) -> None:
    """Any bytes, in any context, and nothing of them is seen from outside."""
    sealed = Sealer(KEY).seal(plain, context)
    assert Sealer(KEY).open(sealed, context) == plain
    assert len(plain) < 8 or plain not in sealed


@settings(max_examples=200)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_anywhere_is_noticed(place: int, bit: int) -> None:
    """Head, nonce, cipher text and tag."""
    sealed = bytearray(Sealer(KEY).seal(b"sk-value", "here"))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(CannotOpen):
        Sealer(KEY).open(bytes(sealed), "here")


@given(st.binary(max_size=60))
def test_what_was_never_sealed_does_not_open(junk: bytes) -> None:
    """Too short, empty, random: one error, no other."""
    with pytest.raises(CannotOpen):
        Sealer(KEY).open(junk, "here")


def test_in_another_context_it_does_not_open() -> None:
    """Moved to another row, or given another host, a value is of no use."""
    with pytest.raises(CannotOpen):
        Sealer(KEY).open(Sealer(KEY).seal(b"sk-value", "openai"), "evil")


def test_each_sealing_is_different() -> None:
    """A nonce that came twice would give both values away."""
    assert len({Sealer(KEY).seal(b"sk-value", "here") for _ in range(200)}) == 200


def test_the_old_key_opens_and_the_new_one_seals() -> None:
    """While keys are rotated both are known; afterwards the old one is not needed."""
    old = Sealer(KEY).seal(b"sk-value", "here")
    both = Sealer(OTHER, KEY)
    assert both.open(old, "here") == b"sk-value" and both.knows(old)
    new = both.seal(b"sk-value", "here")
    assert Sealer(OTHER).open(new, "here") == b"sk-value" and not Sealer(KEY).knows(new)


def test_a_value_under_an_unknown_key_says_which_and_what_to_do() -> None:
    """Both key ids, and the variable that would help."""
    sealed = Sealer(KEY).seal(b"sk-value", "here")
    with pytest.raises(
        CannotOpen, match=f"{master_of(sealed)}.*{Sealer(OTHER).master}.*HEADGATE_SECRET_KEY_OLD"
    ):
        Sealer(OTHER).open(sealed, "here")


def test_keys_come_from_the_environment_or_a_file_it_names(tmp_path: Path) -> None:
    """As base64; a line break at the end does not matter."""
    file = tmp_path / "master"
    file.write_text(base64.b64encode(KEY).decode() + "\n")
    environ = {
        "HEADGATE_SECRET_KEY": f"file:{file}",
        "HEADGATE_SECRET_KEY_OLD": base64.b64encode(OTHER).decode(),
    }
    assert open_(seal(b"sk-value", "here", environ), "here", environ) == b"sk-value"
    assert Sealer.from_environment(environ).master == Sealer(KEY).master
    assert Sealer.from_environment(environ).knows(Sealer(OTHER).seal(b"", ""))


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "new-key"),
        ({"HEADGATE_SECRET_KEY": ""}, "not set"),
        ({"HEADGATE_SECRET_KEY": "c2hvcnQ="}, "not 32 bytes"),
        ({"HEADGATE_SECRET_KEY": "no base64!"}, "not 32 bytes"),
        ({"HEADGATE_SECRET_KEY": "file:/no/such/file"}, "cannot be read"),
        ({"HEADGATE_SECRET_KEY": new_master_key(), "HEADGATE_SECRET_KEY_OLD": "c2hvcnQ="}, "KEY_OLD is not"),
    ],
)
def test_a_key_that_is_none_is_refused_without_repeating_it(environ: dict[str, str], says: str) -> None:
    """The variable is named, its content is not."""
    with pytest.raises(NoMasterKey, match=says) as refused:
        Sealer.from_environment(environ)
    assert "c2hvcnQ" not in str(refused.value) and "no base64" not in str(refused.value)


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: who keeps no secrets in the database does not need it."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(NoMasterKey, match=r"pip install 'headgate\[secrets\]'"):
        Sealer(KEY)


def test_a_sealer_shows_no_key() -> None:
    """Its repr lands in tracebacks."""
    assert repr(Sealer(KEY, OTHER)) == f"<Sealer {Sealer(KEY).master}>"


def test_new_keys_are_32_bytes_and_never_the_same() -> None:
    """In base64, as the variable wants them."""
    keys = {new_master_key() for _ in range(20)}
    assert len(keys) == 20 and {len(base64.b64decode(key)) for key in keys} == {32}
