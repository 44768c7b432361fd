"""What deploy/ and the Dockerfile say is done: the image's steps outside a container, its gateway on a tree that cannot be written,
and the manifests that Helm made of the chart, read.

Neither a container engine nor Helm can be had wherever these tests run. scripts/render_chart.py says how the manifests are made.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import __version__
from headgate.config.loader import parse
from headgate.core.section import Duration
from scripts.render_chart import CASES, rendered_by
from tests.support.gateway import KEY
from tests.support.ports import free_port
from tests.support.raw_client import until

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NAMES = sorted(path.name.partition(".")[0] for path in CASES.glob("*.values.yaml"))
ENVIRONMENT = {
    "DATABASE_URL": "postgresql://gate:secret@db/headgate",
    "REDIS_URL": "redis://redis:6379/0",
    "OPENAI_API_KEY": "sk-123",
}


def instructions(text: str) -> list[tuple[str, str]]:
    """Of a Dockerfile: instruction and argument, continued lines joined."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", kept)
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's, without what stands before the first FROM."""
    found: list[list[tuple[str, str]]] = []
    for name, argument in instructions((ROOT / "Dockerfile").read_text()):
        if name == "FROM":
            found.append([])
        elif found:
            found[-1].append((name, argument))
    return found


BUILD, FINAL = stages()
# Compiling takes minutes. Where CI has done it (`make test COMPILED=yes`) the image's build finds the modules and takes them over;
# elsewhere these tests build the image as `--build-arg COMPILED=false` does.
COMPILED = bool(os.environ.get("HEADGATE_COMPILED"))


def only(stage: list[tuple[str, str]], name: str) -> str:
    (argument,) = [each for instruction, each in stage if instruction == name]
    return argument


def test_the_image_runs_as_nobody_in_particular_and_ends_on_sigterm() -> None:
    """A number that is not root, one directory to write to, the kind of stop that drains, and a check of its life."""
    assert only(FINAL, "USER") == "10001:10001"
    assert only(FINAL, "VOLUME") == only(FINAL, "WORKDIR") == "/data"
    assert only(FINAL, "STOPSIGNAL") == "SIGTERM"
    assert only(FINAL, "ENTRYPOINT") == '["headgate"]' and only(FINAL, "CMD") == '["serve"]'
    assert '"/healthz"]' in only(FINAL, "HEALTHCHECK")
    copied = [argument for name, argument in BUILD + FINAL if name == "COPY"]
    assert [argument for argument in copied if "--from" not in argument] != []
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    wanted = {path for each in copied if "--from" not in each for path in each.split()[:-1]}
    assert let_in == wanted


@pytest.mark.parametrize(
    ("compiled", "calls"), [("true", ["update", "install gcc libc6-dev"]), ("false", [])]
)
def test_the_image_is_compiled_unless_told_otherwise(compiled: str, calls: list[str], tmp_path: Path) -> None:
    """Then with the packages that scripts/compiled.py asks for; else none of Debian's is wanted, and the base may be any."""
    assert only(BUILD, "ARG") == "COMPILED=true"
    (index,) = [n for n, (name, said) in enumerate(BUILD) if name == "RUN" and "apt-get" in said]
    # Before the sources, or every change of them would install it again.
    assert "COPY" not in {name for name, _ in BUILD[:index]}
    (tmp_path / "apt-get").write_text('#!/bin/sh\necho "$@" >>calls\n')
    (tmp_path / "apt-get").chmod(0o700)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "COMPILED": compiled}
    subprocess.run(["sh", "-ec", BUILD[index][1]], cwd=tmp_path, env=environment, check=True, timeout=20)
    said = (tmp_path / "calls").read_text().splitlines() if calls else []
    assert [" ".join(word for word in line.split() if word[0] != "-") for line in said] == calls
    assert (tmp_path / "calls").exists() == bool(calls)
    (built,) = [said for name, said in BUILD if name == "RUN" and "hatchling" in said]
    assert "HATCH_BUILD_HOOK_ENABLE_CUSTOM=${COMPILED} " in built


def run_here(command: str, places: dict[str, str], folder: Path, path: str) -> None:
    """A step of the image with its directories elsewhere."""
    for there, here in places.items():
        command = re.sub(rf"(?<![\w.]){there}(?=[/\s]|$)", here, command)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))
    }
    for name, argument in BUILD:
        if name == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(argument) if "CACHE" not in pair)
    environment |= {"PATH": f"{path}:{environment['PATH']}", "COMPILED": "true" if COMPILED else "false"}
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """/opt/headgate as the Dockerfile makes it, in another place, where nothing can be written."""
    folder = tmp_path_factory.mktemp("image")
    for name in ("build", "bin"):
        (folder / name).mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    places = {there: f"{folder}{there}" for there in ("/tools", "/opt/headgate", "/wheel", "/build")}
    for name, argument in BUILD:
        *sources, target = argument.split()
        if name == "COPY":
            into = Path(
                places.get(target, f"{folder}{target}")
                if target.startswith("/")
                else folder / "build" / target
            )
            if target.endswith("/"):
                into.mkdir(exist_ok=True)
            for source in sources:
                if (ROOT / source).is_dir():
                    left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
                    shutil.copytree(ROOT / source, into, ignore=left_out)
                else:
                    shutil.copy(ROOT / source, into)
        elif name == "RUN" and "apt-get" not in argument:
            run_here(argument, places, folder / "build", str(folder / "bin"))
    home = folder / "opt" / "headgate"
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield home
    for path in (home, *home.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


@pytest.mark.timeout(420)
def test_the_images_steps_make_a_gateway_that_writes_to_its_data_only(image: Path, tmp_path: Path) -> None:
    """Built from the locks alone in an empty directory; it starts, is found alive by the image's own check, and stops."""
    port, data = free_port(), tmp_path / "data"
    data.mkdir(mode=0o700)
    fixed = dict(pair.split("=", 1) for pair in shlex.split(only(FINAL, "ENV")))
    environment = {"HEADGATE_BOOTSTRAP_KEY": KEY, "HOME": "/nowhere", "NO_COLOR": "1"}
    environment |= {name: value for name, value in fixed.items() if name.startswith("PYTHON")}
    environment |= {"PATH": f"{image}/bin", "HEADGATE_LISTEN": f"127.0.0.1:{port}"}
    as_built = snapshot(image)
    with (tmp_path / "log").open("wb") as log:
        gateway = subprocess.Popen(
            [image / "bin" / "headgate", "serve"], cwd=data, env=environment, stdout=log, stderr=log
        )
    try:
        check = [
            *shlex.split(
                only(FINAL, "HEALTHCHECK").partition("CMD ")[2].translate({ord(c): " " for c in "[],"})
            )
        ]
        check = [str(image / "probe.py") if word.endswith("/probe.py") else word for word in check]
        check[0] = str(image / "bin" / "python")

        def healthy(path: str = check[-1]) -> bool:
            asked = [*check[:-1], path]
            return subprocess.run(asked, env=environment, check=False, timeout=20).returncode == 0

        assert until(healthy, seconds=30), (tmp_path / "log").read_text()
        assert until(lambda: healthy("/readyz"), seconds=30) and not healthy("/v1/models")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/models", headers={"authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert reply.status == 200
        gateway.terminate()
        assert gateway.wait(20) == 0
    finally:
        gateway.kill()
        gateway.wait()
    assert not healthy()
    assert (data / "headgate.db").exists()
    assert snapshot(image) == as_built


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def test_the_image_has_all_that_several_nodes_need(image: Path) -> None:
    """PostgreSQL, Redis, identity providers, Bedrock; precompiled, because nothing can be written later."""
    program = "import asyncpg, redis, jwt, cryptography, botocore, uvloop, headgate; print(headgate.__file__)"

    def told(*command: str) -> str:
        # Nothing of this process's environment: PYTHONPATH would show the image what is not in it.
        environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        command = (f"{image}/bin/{command[0]}", *command[1:])
        return subprocess.check_output(command, text=True, timeout=60, env=environment).strip()

    package = Path(told("python", "-c", program)).parent
    assert package.is_relative_to(image)
    compiled = {path.name.partition(".")[0] for path in (package / "__pycache__").glob("*.pyc")}
    assert "__main__" in compiled
    assert (package / "stores" / "migrations" / "env.py").exists()
    assert told("headgate", "--version") == f"headgate {__version__}{' (compiled)' if COMPILED else ''}"
    assert bool([*package.rglob("*.so")]) == COMPILED


def test_a_probe_of_a_port_nobody_listens_on_ends_with_one() -> None:
    """Neither a traceback nor a long wait; and of one that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for listen in (f"0.0.0.0:{free_port()}", "nonsense", f"127.0.0.1:{silent.getsockname()[1]}"):
            done = subprocess.run(
                [sys.executable, "-IS", DEPLOY / "probe.py", "/healthz"],
                env={"HEADGATE_LISTEN": listen},
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert (done.returncode, done.stdout + done.stderr) == (1, "")


# Compose


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def seconds(text: str) -> float:
    return float(Duration.parse(text))


def test_compose_gives_a_gateway_time_to_stop_and_a_journal_of_its_own() -> None:
    """Longer than notice and streams together; what one writes no other has; nginx and config agree with the services."""
    services = compose()["services"]
    gateways = {name: service for name, service in services.items() if name.startswith("gateway-")}
    settings = parse((DEPLOY / "config" / "headgate.toml").read_text(), ENVIRONMENT).settings
    server, longest = settings.server, float(settings.defaults.timeouts.total)
    assert server.nodes == len(gateways) == 2
    assert float(server.shutdown_time) > longest
    journals = set()
    for service in gateways.values():
        assert (
            seconds(service["stop_grace_period"])
            >= float(server.notice_time) + float(server.shutdown_time) + 10
        )
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        journals |= {volume for volume in service["volumes"] if volume.endswith(":/data")}
        assert set(re.findall(r"\$\{(\w+)\}", (DEPLOY / "config" / "headgate.toml").read_text())) <= set(
            service["environment"]
        )
    assert len(journals) == 2
    nginx = (DEPLOY / "nginx.conf").read_text()
    assert set(re.findall(r"server (\S+):8080 resolve", nginx)) == set(gateways)
    (waits,) = re.findall(r"proxy_read_timeout (\S+);", nginx)
    assert seconds(waits) > longest
    assert all(port.startswith("127.0.0.1:") for port in services["nginx"]["ports"])


def test_composes_secrets_come_from_a_file_that_is_not_kept() -> None:
    """Each variable is in the example, none has a value that anybody knows, and Git leaves the real file out."""
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", (DEPLOY / "compose.yaml").read_text())) - {"HEADGATE_PORT"}
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    assert example.keys() == wanted and set(example.values()) == {""}
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


# The chart


def manifests(case: str) -> dict[str, dict[str, Any]]:
    """Kind and name -> what Helm made."""
    found = list(yaml.safe_load_all((CASES / f"{case}.yaml").read_text()))
    return {f"{one['kind']} {one['metadata']['name']}": one for one in found if one}


def gateways(case: str) -> dict[str, Any]:
    (found,) = [one for one in manifests(case).values() if one["kind"] in {"StatefulSet", "Deployment"}]
    spec: dict[str, Any] = found["spec"]
    return spec


@pytest.mark.parametrize("case", NAMES)
def test_the_manifests_are_of_the_present_chart(case: str) -> None:
    """Else: `python scripts/render_chart.py`, which also shows them to Kubernetes' own schemas."""
    first = (CASES / f"{case}.yaml").read_text().partition("\n")[0]
    assert first == rendered_by(CASES / f"{case}.values.yaml")


@pytest.mark.parametrize("case", NAMES)
def test_a_pod_may_do_little_and_may_take_its_time_to_stop(case: str) -> None:
    """Not root, nothing to write but journal and /tmp, no token of the cluster; and Kubernetes waits for its streams."""
    pod = gateways(case)["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert not pod["automountServiceAccountToken"]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert mounts == {"/etc/headgate": True, "/data": False, "/tmp": False}
    server = configuration(case).server
    assert (
        pod["terminationGracePeriodSeconds"] >= float(server.notice_time) + float(server.shutdown_time) + 10
    )
    # An outage of the database must not take every gateway out of service.
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz?exclude=database"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    # It must notice that a pod stops well before the pod closes its port.
    readiness = container["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < float(server.notice_time)


def configuration(case: str) -> Any:
    (text,) = [one["data"]["headgate.toml"] for one in manifests(case).values() if one["kind"] == "ConfigMap"]
    return parse(text, ENVIRONMENT).settings


@pytest.mark.parametrize("case", NAMES)
def test_the_configuration_of_the_chart_is_one_that_headgate_takes(case: str) -> None:
    """Whole, with each node's share of the limits, and time for the longest request there may be."""
    settings = configuration(case)
    spec = gateways(case)
    most = [
        one["spec"]["maxReplicas"] for one in manifests(case).values() if one["kind"].startswith("Horizontal")
    ]
    assert settings.server.listen == "0.0.0.0:8080" and settings.server.data == "/data"
    assert settings.server.nodes == (most or [spec["replicas"] if settings.server.redis else 1])[0]
    longest = max(
        float((feature.timeouts or settings.defaults.timeouts).total)
        for feature in settings.features.values()
    )
    assert float(settings.server.shutdown_time) > longest


def test_a_journal_outlives_its_pod_unless_told_otherwise() -> None:
    """A volume for each, kept; or emptyDir, and then an update adds a gateway before it takes one away."""
    spec = gateways("plain")
    assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["journal"]
    assert set(spec["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    assert spec["serviceName"] == "gate-headgate-nodes" and "Service gate-headgate-nodes" in manifests(
        "plain"
    )
    spec = gateways("ephemeral")
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert {"name": "journal", "emptyDir": {"sizeLimit": "2Gi"}} in spec["template"]["spec"]["volumes"]


def test_the_chart_makes_what_it_is_asked_for_and_nothing_else() -> None:
    """Ingress, autoscaling and the Prometheus operator's object are off until they are switched on."""
    always = {"ConfigMap gate-headgate", "PodDisruptionBudget gate-headgate", "Service gate-headgate"}
    always |= {"Service gate-headgate-nodes", "ServiceAccount gate-headgate", "StatefulSet gate-headgate"}
    assert manifests("plain").keys() == always
    everything = manifests("everything")
    extra = {f"{kind} gate-headgate" for kind in ("Ingress", "HorizontalPodAutoscaler", "ServiceMonitor")}
    assert everything.keys() == always | extra
    assert "replicas" not in gateways("everything"), "it would undo what the autoscaler did"
    assert (
        everything["HorizontalPodAutoscaler gate-headgate"]["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    )
    # Only the one Service is scraped, and it is the pods' own.
    monitor = everything["ServiceMonitor gate-headgate"]["spec"]
    scraped = [
        name
        for name, one in everything.items()
        if one["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    ]
    assert scraped == ["Service gate-headgate"]
    labels = gateways("everything")["template"]["metadata"]["labels"]
    for name in ("Service gate-headgate", "Service gate-headgate-nodes"):
        assert everything[name]["spec"]["selector"].items() <= labels.items()
    budget = everything["PodDisruptionBudget gate-headgate"]["spec"]
    assert budget["maxUnavailable"] == 1 and budget["selector"]["matchLabels"].items() <= labels.items()


def test_a_changed_configuration_starts_the_gateways_anew() -> None:
    """Its checksum is in the pods' annotations."""
    sums = {gateways(case)["template"]["metadata"]["annotations"]["headgate/configuration"] for case in NAMES}
    assert len(sums) == len(NAMES)


def test_chart_and_project_have_the_same_version() -> None:
    """What is deployed is what is released."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((DEPLOY / "helm" / "headgate" / "Chart.yaml").read_text())
    assert chart["appVersion"] == project
