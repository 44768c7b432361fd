"""How often the search for changes is wrong, and how late it is: series with known changes, drawn with fixed seeds.

    python bench/drift.py            all of it, some minutes
    python bench/drift.py --few      a look

Series of 28 days of hours, as of a mean of many: noise with a standard deviation of 1, a rhythm of the day (±1.5) and a weekend 1 lower.
The noise of neighbouring hours is correlated (`ar`), or has a part that each day has to itself (`day`).
"""

from __future__ import annotations

import argparse
import time
from math import pi, sin, sqrt
from random import Random

from headgate.quality.drift import DAY, HOUR, Point, changes

BEGIN = 1_790_000_000 // (7 * DAY) * 7 * DAY
NOISES = {
    "hours independent": {},
    "ar 0.5": {"ar": 0.5},
    "ar 0.8": {"ar": 0.8},
    "a third of the variance by day": {"day": sqrt(1 / 3)},
}


def series(seed, days=28, *, ar=0.0, day=0.0, shift=0.0, at=0.0, until=1e9):
    """shift: in standard deviations, from day `at` up to day `until`."""
    chance, own, noise, points = Random(seed), 0.0, 0.0, []
    for hour in range(days * 24):
        moment = BEGIN + hour * HOUR
        if hour % 24 == 0:
            own = chance.gauss(0, 1)
        noise = ar * noise + chance.gauss(0, sqrt(1 - ar * ar))
        value = 10 + 1.5 * sin(2 * pi * (moment % DAY) / DAY) - (1.0 if moment // DAY % 7 in (2, 3) else 0.0)
        value += sqrt(1 - day * day) * noise + day * own
        if at and at * 24 <= hour < until * 24:
            value += shift
        points.append(Point(moment, value, 50))
    return points


def false_alarms(number):
    print(f"\nSeries that did not change, {number} of each, looked at once:")
    for name, noise in NOISES.items():
        began = time.perf_counter()
        wrong = sum(bool(changes(series(seed, **noise))) for seed in range(number))
        print(
            f"  {name}: {wrong} said to have changed; {1000 * (time.perf_counter() - began) / number:.0f} ms each"
        )


def looks(number):
    print(
        f"\nSeries of 56 days that did not change, {number} of each, looked at each day for 28 days (29 looks):"
    )
    for name, noise in NOISES.items():
        wrong = 0
        for seed in range(number):
            whole = series(10_000 + seed, 56, **noise)
            wrong += any(changes(whole[end - 28 * 24 : end]) for end in range(28 * 24, 56 * 24 + 1, 24))
        print(f"  {name}: {wrong} said to have changed in any of the looks")


def delays(number, shift):
    print(
        f"\nA step by {shift:g} standard deviations of one hour, {number} of each: how many are found so long after it"
    )
    for name, noise in NOISES.items():
        told = []
        for after in (1, 2, 3, 4, 5, 7, 10, 14):
            found, off = 0, []
            for seed in range(number):
                at = 28 - after
                best = changes(series(20_000 + seed, shift=shift, at=at, **noise))
                near = [abs(each.at - BEGIN - at * DAY) / HOUR for each in best]
                if near:
                    found += 1
                    off.append(min(near))
            place = f" (±{sorted(off)[len(off) // 2]:.0f} h)" if off else ""
            told.append(f"{after} d: {found}{place}")
        print(f"  {name}: {', '.join(told)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--few", action="store_true")
    few = parser.parse_args().few
    false_alarms(20 if few else 300)
    looks(3 if few else 40)
    delays(3 if few else 20, 1.0)
    if not few:
        delays(20, 0.5)


if __name__ == "__main__":
    main()
