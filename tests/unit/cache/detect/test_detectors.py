"""What speaks against answering from memory is found in seven languages, and is not found in questions anybody may ask."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.cache.detect.checksums import is_card, is_dni, is_iban, is_tax_id
from headgate.cache.detect.dates import names_a_date
from headgate.cache.detect.ids import names_a_number
from headgate.cache.detect.names import names_a_person
from headgate.cache.detect.personal import asks_of_own, data_in
from headgate.cache.detect.prices import names_a_price
from headgate.cache.detect.reasons import DETECTORS, reason_in
from headgate.cache.detect.times import about_now

__all__: list[str] = []

HARMLESS = [
    "How do I reset a password?",
    "What is the capital of Australia?",
    "How do I cancel my subscription?",
    "Where can I change my address?",
    "What happens if I miss a payment?",
    "Can I return shoes that I have worn?",
    "Explain how a sluice gate works.",
    "What is the difference between TCP and UDP?",
    "How many litres are in 5 gallons?",
    "Convert 100 miles to kilometres.",
    "Who won the World Cup in 1998?",
    "What does ISO 27001 ask for?",
    "Which port does HTTPS use, 443 or 8443?",
    "Is UTF-8 better than Latin-1?",
    "May I bring my dog?",
    "Will it rain in hell?",
    "What will a mark on glass look like?",
    "Wie kann ich mein Passwort ändern?",
    "Was ist hier zu tun?",
    "Wie lange ist die Garantie?",
    "Comment puis-je résilier mon abonnement ?",
    "Quelle est la capitale de l'Australie ?",
    "¿Cómo cancelo mi suscripción?",
    "¿Cuál es la capital de Australia?",
    "Come posso cambiare la password?",
    "Hoe zeg ik mijn abonnement op?",
    "Como cancelo a minha assinatura?",
    "Write a function that sorts 1000000 numbers.",
    "What is 12 * 34?",
    "Use Python 3.11.4 and numpy 1.26.2.",
    "What is the actual value of the parameter?",
    "Compare an iPhone 15 and a Pixel 8.",
    "Is Rhode Island an island?",
    "How far is the bank from the river?",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_anybody_may_ask_is_answered_from_memory(text: str) -> None:
    """A cache that finds a reason in everything is none."""
    assert reason_in(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "What is the weather today?",
        "Who is the current president?",
        "WHAT TIME IS IT NOW?",
        "What happened this week?",
        "Which phone is the latest?",
        "What did he say yesterday",
        "What changed in the last 3 months?",
        "Two days ago it worked",
        "the exchange rate of the dollar",
        "Wie ist das Wetter?",
        "Was ist heute los?",
        "Die aktuellen Preise",
        "Was war letzte Woche?",
        "Quelle heure est-il ?",
        "Quoi de neuf aujourd’hui ?",
        "Qu'est-ce qui s'est passé hier soir ?",
        "¿Qué pasó ayer?",
        "¿Qué hora es?",
        "la situación actual",
        "Che tempo fa oggi?",
        "le notizie di ieri",
        "Wat gebeurde er vandaag?",
        "Hoe laat is het?",
        "Wie is nu de premier?",
        "O que aconteceu hoje?",
        "a taxa de câmbio",
        "Ｗhat about ｔｏｄａｙ?",
    ],
)
def test_questions_about_now_are_found(text: str) -> None:
    """Whatever the case and the kind of letters."""
    assert about_now(text)
    assert reason_in(text) == "time"
    assert reason_in(text, let=["time"]) != "time"


@pytest.mark.parametrize(
    "text", ["I know this", "nowhere", "snow", "Heuten", "hier ist es", "nunca", "concurrent"]
)
def test_words_that_only_hold_such_a_word_are_none(text: str) -> None:
    """`know` holds `now`; `hier` is here to most who write it."""
    assert not about_now(text)


@pytest.mark.parametrize(
    "text",
    [
        "on 2024-05-01",
        "by 12/05/2024",
        "12-05-24",
        "am 1.5.2024",
        "am 24.12.",
        "5 May",
        "May 5th",
        "the 3rd of March",
        "March 2024",
        "5. Mai",
        "le 3 mars",
        "el 5 de mayo",
        "il 2 giugno",
        "op 5 maart",
        "em 7 de setembro",
        "on Monday",
        "kommenden Dienstag",
        "jeudi",
        "at 5 pm",
        "um 14:30",
        "um 14 Uhr",
        "at 10 o'clock",
        "in Q3 2024",
    ],
)
def test_dates_are_found(text: str) -> None:
    """As figures and in words, weekdays and times of day as well."""
    assert names_a_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "in 1998",
        "version 1.2.34",
        "May I go?",
        "a ratio of 16:9",
        "3/4 of a cup",
        "march on",
        "24/7",
        "mayor",
    ],
)
def test_what_looks_like_a_date_is_none(text: str) -> None:
    """A year alone, versions, ratios, fractions."""
    assert not names_a_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "$5",
        "5 $",
        "US$ 100",
        "€1.000,50",
        "20 €",
        "EUR 20",
        "20 EUR",
        "5k USD",
        "five for 10 dollars",
        "3 euros",
        "£2m",
        "50 cents",
        "100 Franken",
    ],
)
def test_sums_of_money_are_found(text: str) -> None:
    """By sign, code and name."""
    assert names_a_price(f"It was {text} there")


@pytest.mark.parametrize(
    "text", ["try 5 times", "20 pounds of beef", "all 5", "EURO 2024 is football", "the price"]
)
def test_other_figures_are_no_money(text: str) -> None:
    """Codes count in capitals only, and with a figure."""
    assert not names_a_price(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write to Mr Brook",
        "Frau Müller fragt",
        "Ask Dr. A. Zhivago",
        "my name is Xanthe",
        "ich heiße Xanthe",
        "je m'appelle Xanthe",
        "an email to Anna",
        "Katarzyna is here",
        "Did John Smith call?",
        "a letter for Will Turner",
        "Grace Hopper's work",
        "Dear Xyz Abc",
    ],
)
def test_persons_are_found(text: str) -> None:
    """By title, by being introduced, by first name, by first and second name."""
    assert names_a_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "Will it work?",
        "May I ask?",
        "Mark the box",
        "Paris is big",
        "San Diego",
        "Rose Street",
        "JAVA AND ADA",
        "anna",
        "The Amazon",
        "Virginia and Georgia",
    ],
)
def test_words_that_are_names_too_are_not_persons(text: str) -> None:
    """They take a second name behind them; small letters are not looked at."""
    assert not names_a_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "order 12345",
        "Order #77",
        "order number 77",
        "ticket AB-1234",
        "Bestellung Nr. 4711",
        "Rechnungsnummer: 2024-001",
        "commande n° 4711",
        "pedido número 4711",
        "3f2b8c1e-1234-4abc-9def-1234567890ab",
        "tracking 1Z999AA10123456784",
        "booking X7K9Q2",
        "what about 48213377?",
        "issue #1234",
        "case id 12345",
    ],
)
def test_numbers_of_something_are_found(text: str) -> None:
    """Behind a word for it, by form, by length."""
    assert names_a_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "RFC 9110",
        "ISO 27001",
        "in 2024",
        "100000 users",
        "1,000,000",
        "SHA256",
        "iPhone 15",
        "order 5 items",
        "#1",
        "3.141592653",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    """Standards, years, amounts, products."""
    assert not names_a_number(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("write to ann.brook@web.de", "mail"),
        ("call +49 151 23456789", "phone"),
        ("call (415) 555-2671", "phone"),
        ("tel. 030 1234 5678", "phone"),
        ("my number is 06 12 34 56 78, call 0612345678", "phone"),
        ("DE89 3704 0044 0532 0130 00", "bank"),
        ("GB82WEST12345698765432", "bank"),
        ("4111 1111 1111 1111", "card"),
        ("5500-0000-0000-0004", "card"),
        ("SSN 460-89-9847", "security"),
        ("12345678Z", "identity"),
        ("RSSMRA85T10A562S", "identity"),
        ("QQ 12 34 56 C", ""),
        ("AB 12 34 56 C", "insurance"),
        ("12 Mill Lane, Bath", "street"),
        ("Hauptstraße 5", "street"),
        ("12 rue de la Paix", "street"),
        ("Calle Mayor 3", "street"),
        ("born on 3 May", "birth"),
        ("geboren am 3. Mai", "birth"),
    ],
)
def test_personal_data_are_found(text: str, what: str) -> None:
    """And named by kind, never by what they are."""
    found = data_in(text)
    assert what in found if what else not found
    assert not found or found not in text


@pytest.mark.parametrize(
    "text",
    [
        "write to support@acme.com",
        "you@example.com",
        "no-reply@shop.de",
        "call 0800 123 4567",
        "call 1-800-555-1234",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "DE88370400440532013000",
        "version 10.20.30.40",
        "12345678A",
        "2024-05-01 12:30:00",
        "1000000 rows",
        "a@b",
        "@media (min-width: 600px)",
        "5 miles down the road",
    ],
)
def test_what_is_nobodys_is_no_personal_data(text: str) -> None:
    """Mailboxes of offices, numbers that are free to call, digits that do not check."""
    assert data_in(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order?",
        "What's my balance",
        "Why was my card declined?",
        "When will my parcel arrive?",
        "Show me my last invoices",
        "My salary is too low",
        "Has my refund been paid?",
        "I have diabetes",
        "I was diagnosed last year",
        "I am 34 years old",
        "I live in Bath",
        "Wo ist meine Bestellung?",
        "Mein Gehalt ist zu niedrig",
        "Où est ma commande ?",
        "¿Dónde está mi pedido?",
        "Dov'è il mio ordine?",
        "Waar is mijn pakket?",
        "Onde está a minha encomenda?",
    ],
)
def test_questions_about_ones_own_are_found(text: str) -> None:
    """How something stands is another thing for each who asks."""
    assert asks_of_own(text)


def test_how_to_do_something_with_ones_own_is_anybodys_question() -> None:
    """The most asked questions of every help desk."""
    for text in (
        "How do I change my password?",
        "Can I move my appointment?",
        "Where do I enter my address?",
        "Wie ändere ich meine Adresse?",
    ):
        assert not asks_of_own(text), text


# Numbers that check


def test_numbers_are_told_by_the_digits_that_check_them() -> None:
    """One digit changed, and it is none: nine of ten at least."""
    draw = random.Random(6)
    for good, check in (
        ("4111111111111111", is_card),
        ("DE89370400440532013000", is_iban),
        ("86095742719", is_tax_id),
        ("12345678Z", is_dni),
    ):
        assert check(good)
        wrong = 0
        for _ in range(200):
            place = draw.choice([n for n, one in enumerate(good) if one.isdigit() and n > 3])
            digit = draw.choice([one for one in "0123456789" if one != good[place]])
            wrong += not check(good[:place] + digit + good[place + 1 :])
        assert wrong >= 180, good


# For whatever text


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(max_size=500), st.text("0123456789 -./()@+#aA€$:", max_size=500)))
def test_any_text_is_looked_through(text: str) -> None:
    """Nothing breaks a detector, and what was found once is found again."""
    for speaks_against, _ in DETECTORS.values():
        assert speaks_against(text) is speaks_against(text)


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "12 ",
        "1-",
        "a@",
        "a.",
        "(0",
        "+49 ",
        "A-",
        "A1",
        "Ab ",
        "my ",
        "1 Ab ",
        "0x",
        "00 ",
        "é",
        "12 3456 ",
        "#1",
    ],
)
def test_text_that_was_made_to_be_slow_is_not(unit: str) -> None:
    """Twice the text takes about twice the time: the steps are counted by a budget of seconds that is far from tight."""
    text = unit * (100_000 // len(unit))
    began = time.process_time()
    for speaks_against, _ in DETECTORS.values():
        speaks_against(text)
    assert time.process_time() - began < 5
