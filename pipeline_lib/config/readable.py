"""What pydantic says is wrong, in the words of this project."""

from pipeline_lib.config.section import found

# what the config file should have instead, by how pydantic's error types begin
_WANTED = {
    "int_": "should be a whole number",
    "float_": "should be a number",
    "finite_": "should be a finite number",
    "bool_": "should be true or false",
    "string_": "should be text",
    "list_": "should be a list",
    "dict_": "should be a section of keys",
    "greater_than_equal": "should be at least {ge:g}",
    "greater_than": "should be greater than {gt:g}",
    "less_than_equal": "should be at most {le:g}",
    "less_than": "should be less than {lt:g}",
    "literal_": "should be {expected}",
    "too_short": "should hold {min_length} or more",
    "too_long": "should hold {max_length} or fewer",
}


def readable(item: dict) -> str:
    """Return one line for one pydantic error: key: what is accepted, what was found."""
    path = [str(part) for position, part in enumerate(item["loc"]) if position < 2 or not str(part).startswith("(")]
    if path[-1:] == ["[key]"]:
        rule = "letters, digits and _, the first no _" if isinstance(item["input"], str) else "text (put it in quotes)"
        return f"{'.'.join(path[:-2])}: {item['input']!r} is not a name; accepted: {rule}"
    where = f"{'.'.join(path)}: " if path else ""
    if item["type"] == "missing":
        return f"{where}must be given"
    if item["type"] == "value_error":
        return where + item["msg"].removeprefix("Value error, ")
    wanted = next((text for kind, text in _WANTED.items() if item["type"].startswith(kind)), None)
    wanted = item["msg"] if wanted is None else wanted.format(**item.get("ctx", {}))
    return f"{where}{wanted}, not {found(item['input'], chosen_by=item['type'] == 'choice')}"
