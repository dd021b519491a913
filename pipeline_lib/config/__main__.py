"""Print the JSON schema of the config file."""

from pipeline_lib.config.parse import schema_text

print(schema_text(), end="")
