#!/usr/bin/env python3
"""Owns the question whether what bitbake makes of a recipe is what was meant, for yocto-check.sh.

usage: expect.py   (in bitbake's environment; reads lines: RECIPE VARIABLE WORD...)

A variable has each WORD; of `!WORD` nothing; `>=VERSION` is for a variable that is a version.
"""

import re
import sys

from bb.tinfoil import Tinfoil


def number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def met(words: list[str], wanted: str) -> bool:
    if wanted.startswith(">="):
        return len(words) == 1 and number(words[0]) >= number(wanted)
    return wanted[1:] not in words if wanted.startswith("!") else wanted in words


def main() -> None:
    faults = 0
    with Tinfoil(setup_logging=False) as bitbake:
        bitbake.prepare(quiet=2)
        for line in sys.stdin.read().splitlines():
            recipe, variable, *expected = line.split()
            words = (bitbake.parse_recipe(recipe).getVar(variable) or "").split()
            for wanted in expected:
                if not met(words, wanted):
                    print(f"ERROR: {variable} of {recipe} is not as expected ({wanted}): {' '.join(words)}")
                    faults += 1
    sys.exit(1 if faults else 0)


main()
