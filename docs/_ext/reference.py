"""Write the reference pages from the program itself, so that they cannot fall behind it.

Before the pages are read, ``docs/reference/generated`` gets one page for the command line (from
its own help), one for the configuration (from the option models), and one of modules for each
room.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import hpcbudget
from hpcbudget import options
from hpcbudget.cli import app as command_line
from hpcbudget.config import Config

SKIPPED = ("hpcbudget.cli", "hpcbudget.__main__")  # commands have a page of their own
ROOMS = ("top", "inputs", "space", "kernels", "engine", "science", "maps", "report")


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", _write_pages, priority=100)
    app.connect("autodoc-process-docstring", _keep_formulas)
    return {"parallel_read_safe": True}


def _keep_formulas(
    app: Any, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Let ``|gap|`` and ``*shape`` of a formula be what they are, outside of examples."""
    example = False
    for i, line in enumerate(lines):
        example = line.strip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = line.split("``")
            parts[::2] = [_escaped(part) for part in parts[::2]]
            lines[i] = "``".join(parts)


def _escaped(text: str) -> str:
    text = text.replace("|", "\\|")
    return text.replace("*", "\\*") if text.count("*") % 2 else text


def _write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"commands.md": commands(), "configuration.md": configuration(), **modules()}
    for stale in set(folder.iterdir()) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def commands() -> str:
    """Return the help of every command as a page."""
    group = typer.main.get_command(command_line)
    lines = ["# Commands", "", str(group.help or ""), ""]
    for name, command in _leaves(group, ()):
        with click.Context(command, info_name=f"hpcbudget {name}") as context:
            usage = command.get_usage(context).removeprefix("Usage: ")
            lines += [f"## hpcbudget {name}", "", _paragraphs(command.help), "", "```text"]
            lines += [usage.strip(), "```", ""]
            rows = [_parameter(p) for p in command.params if p.name != "help"]
            if rows:
                lines += ["| argument | meaning | default |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(lines) + "\n"


def _leaves(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, under the name that is typed."""
    for name, command in sorted(getattr(group, "commands", {}).items()):
        if hasattr(command, "commands"):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{n}`" for n in parameter.opts) or f"`{parameter.name}`"
    if parameter.param_type_name == "argument":
        names = f"`{str(parameter.metavar or parameter.name).strip('[]{}').upper()}`"
    meaning = str(getattr(parameter, "help", "") or "").replace("|", "\\|").replace("\n", " ")
    default = parameter.default
    shown = "" if default is None or default is False or callable(default) else f"`{default}`"
    return f"| {names} | {meaning} | {shown} |"


def _paragraphs(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").replace("\b", "").splitlines())


def configuration() -> str:
    """Return every key of a configuration with its type, default and meaning."""
    models = [
        model
        for model in vars(options).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model is not options.Model
    ]
    lines = [
        "# Configuration",
        "",
        "Every key that a configuration may hold. Unknown keys are refused with the nearest match.",
        "",
    ]
    for model in (Config, *models):
        lines += [f"## {model.__name__}", "", _paragraphs(model.__doc__), ""]
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        for name, facts in model.model_fields.items():
            default = facts.get_default(call_default_factory=True)
            shown = "required" if default is PydanticUndefined else f"`{_short(default)}`"
            kind = str(facts.annotation).replace("typing.", "").replace("hpcbudget.options.", "")
            kind = kind.removeprefix("<class '").removesuffix("'>").replace("|", "\\|")
            meaning = (facts.description or "").replace("|", "\\|")
            lines.append(f"| `{name}` | `{kind}` | {shown} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _short(value: object) -> str:
    if isinstance(value, BaseModel):
        return f"{type(value).__name__} with its defaults"
    return str(value).replace("|", "\\|")


def modules() -> dict[str, str]:
    """Return one page of documented modules for each room, in the order in which data flow."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(hpcbudget.__path__, "hpcbudget."):
        parts = module.name.split(".")
        if not module.ispkg and not module.name.startswith(SKIPPED):
            found.setdefault(parts[1] if len(parts) > 2 else "top", []).append(module.name)
    pages = {}
    rooms = sorted(found, key=lambda r: (ROOMS.index(r) if r in ROOMS else len(ROOMS), r))
    for number, room in enumerate(rooms):
        title = "hpcbudget" if room == "top" else f"hpcbudget.{room}"
        lines = [title, "=" * len(title), ""]
        if room != "top":
            lines += [f".. automodule:: hpcbudget.{room}", "   :no-members:", ""]
        for name in sorted(found[room]):
            lines += [name, "-" * len(name), "", f".. automodule:: {name}", "   :members:", ""]
        pages[f"api-{number:02d}-{room}.rst"] = "\n".join(lines) + "\n"
    return pages
