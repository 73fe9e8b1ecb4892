"""Holds each line of standard input against the JSON Schema in a file; says nothing where all is well."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    validator = Draft202012Validator(json.load(file))
is_valid = True
for number, line in enumerate(sys.stdin, 1):
    for error in validator.iter_errors(json.loads(line)):
        is_valid = False
        print(f"line {number}, {error.json_path}: {error.message}")
sys.exit(0 if is_valid else 1)
