# SPDX-License-Identifier: BSD-2-Clause
"""docs/schema: what `zddctl -o json` prints is held against it."""
import json
import os

import jsonschema

from .proc import ROOT

DIRECTORY = os.path.join(ROOT, "docs/schema")


def load(name):
    with open(os.path.join(DIRECTORY, name)) as file:
        return json.load(file)


def check(value, where):
    """`where` is "service.json", or "look.json#/$defs/why". Raises with the path of what is wrong."""
    store = {name: load(name) for name in os.listdir(DIRECTORY)}
    resolver = jsonschema.RefResolver("", {}, store=store)
    jsonschema.Draft202012Validator({"$ref": where}, resolver=resolver).validate(value)
