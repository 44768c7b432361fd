"""What stands in the gaps of `intents.txt`."""

from __future__ import annotations

__all__ = ["SLOTS"]


def _some(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


_DRUGS = _some(
    "ibuprofen, aspirin, paracetamol, antihistamines, melatonin, cough syrup, antibiotics, naproxen"
)
_CITIES = _some(
    "Lisbon, Oslo, Chicago, Kyoto, Munich, Toronto, Seville, Leeds, Boston, Nairobi, Lima, Geneva, Austin, Perth, Krakow"
)
_CODES = _some("Python, Java, JavaScript, Ruby, Go, Rust, C++, C#, Kotlin, Swift, PHP, TypeScript")
_APPS = _some("Outlook, Gmail, Slack, Notion, Trello, Dropbox, Evernote, Teams, Asana, Zoom")
_UNITS = _some(
    "miles, kilometers, pounds, kilograms, inches, centimeters, Celsius, Fahrenheit, gallons, liters, ounces, grams"
)
_FOOD = _some(
    "rice, salmon, strawberries, tofu, mushrooms, bread, cheese, avocado, spinach, potatoes, yogurt, chicken, eggs, bananas"
)

SLOTS: dict[str, list[str]] = {
    "item": _some(
        "a laptop, shoes, a dress, headphones, a mattress, a phone case, a coffee machine, a watch, a bike, a lamp, a jacket"
    ),
    "items": _some("goods, products, things, clothes"),
    "country": _some(
        "Canada, Japan, Brazil, Norway, Kenya, Portugal, India, Chile, Vietnam, Poland, Mexico, Turkey, Peru, Iceland, Ghana, New Zealand"
    ),
    "city": _CITIES,
    "city2": _CITIES,
    "payment": _some("PayPal, Apple Pay, American Express, bank transfer, Bitcoin, Klarna, Visa, gift cards"),
    "clothes": _some("jeans, shirts, boots, gloves, dresses, jackets"),
    "n": _some("2, 3, 4, 5, 8, 10, 12, 20, 25, 30, 50, 64, 90, 100, 144, 500"),
    "year": _some("1850, 1920, 1950, 1999, 2005, 2015, 2022"),
    "account": _some("savings, checking, business, student, brokerage"),
    "loan": _some("a car loan, a mortgage, a personal loan, a student loan, overdrafts"),
    "software": _some("Docker, Photoshop, Firefox, Blender, Skype, Git, Zoom, Excel, VLC"),
    "os": _some("Windows, macOS, Linux, Ubuntu, a Chromebook, an iPad, Android"),
    "device": _some("laptop, phone, tablet, computer, printer, iPad"),
    "code": _CODES,
    "code2": _CODES,
    "unit": _UNITS,
    "unit2": _UNITS,
    "app": _APPS,
    "app2": _APPS,
    "pet": _some("dog, cat, rabbit, parrot, hamster"),
    "day": _some("Monday, Tuesday, Wednesday, Friday, Saturday, Sunday"),
    "drug": _DRUGS,
    "drug2": _DRUGS,
    "illness": _some(
        "measles, the flu, strep throat, chickenpox, pneumonia, covid, mumps, a cold, scarlet fever"
    ),
    "nutrient": _some("iron, protein, fiber, vitamin C, calcium, magnesium, potassium, zinc"),
    "food": _FOOD,
    "egg": _some("an egg, potatoes, pasta, corn on the cob, broccoli, carrots"),
    "ingredient": _some("butter, eggs, buttermilk, flour, sugar, cream, cornstarch, honey, yeast"),
    "meat": _some("chicken breast, salmon, meatloaf, pork chops, a turkey, lasagna"),
    "dish": _some("lasagna, pancakes, chili, ramen, paella, goulash, pad thai, risotto, banana bread"),
    "book": _some(
        "Moby Dick, Frankenstein, The Odyssey, Dracula, Emma, Don Quixote, Ulysses, Jane Eyre, Faust"
    ),
    "event": _some(
        "World War I, the French Revolution, the Cold War, the Great Depression, the Vietnam War, the Black Death"
    ),
    "concept": _some(
        "photosynthesis, inflation, osmosis, recursion, a black hole, entropy, mitosis, a mortgage, machine learning, gravity, compound interest"
    ),
    "mountain": _some("Mount Everest, K2, Mont Blanc, Kilimanjaro, Denali, Mount Fuji"),
    "word": _some("good morning, thank you, cheese, butterfly, train station, I love you, water"),
    "language": _some("Spanish, French, German, Italian, Japanese, Welsh, Korean, Dutch, Swahili"),
    "stain": _some("red wine, coffee, blood, grass, ink, oil, tomato sauce"),
    "plant": _some("a cactus, an orchid, basil, tomatoes, a ficus, roses, lavender"),
    "tier": _some("Pro, Basic, Premium, Enterprise, Starter, Team"),
}
