"""Holds each line of standard input against the published schema of its class; says nothing where all is well."""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

version = sys.argv[1]
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
validators = {}
is_valid = True
for number, line in enumerate(sys.stdin, 1):
    document = json.loads(line)
    name = schema.lookup_class_name_from_uid(document["class_uid"])
    if name not in validators:
        validators[name] = Draft202012Validator(schema.get_class_schema(class_name=name))
    for error in validators[name].iter_errors(document):
        is_valid = False
        print(f"line {number}, {name}, {error.json_path}: {error.message}")
sys.exit(0 if is_valid else 1)
