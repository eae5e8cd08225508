"""Tables of the page as Markdown and LaTeX, ready to be pasted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpcbudget.report.blocks import Cell, Table
from hpcbudget.report.citations import Citation

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "−": r"$-$", "±": r"$\pm$", "°": r"$^\circ$", "–": "--", "<": r"$<$", ">": r"$>$",
    "₂": r"$_2$",
}  # fmt: skip


def markdown(tables: Iterable[Table]) -> str:
    r"""Return tables as Markdown, one after another with their captions.

    Parameters
    ----------
    tables : iterable of Table
        For example the headline tables of a run.

    Examples
    --------
    >>> table = Table("t", "Land, Pg C/yr", ("Method", "Global"), ((Cell("a|b"), Cell("−1.20")),))
    >>> print(markdown([table]), end="")
    **Land, Pg C/yr**
    <BLANKLINE>
    | Method | Global |
    | --- | --- |
    | a\|b | −1.20 |
    <BLANKLINE>
    """
    lines = []
    for table in tables:
        lines += [f"**{table.caption}**", ""]
        lines += [_row(table.headers), _row(["---"] * len(table.headers))]
        lines += [_row([_full(cell).replace("|", "\\|") for cell in row]) for row in table.rows]
        lines.append("")
    return "\n".join(lines) + "\n" if lines else ""


def latex(tables: Iterable[Table]) -> str:
    r"""Return tables as LaTeX floats (packages: booktabs).

    Parameters
    ----------
    tables : iterable of Table
        For example the headline tables of a run.

    Examples
    --------
    >>> table = Table("t", "Land & sea", ("Method",), ((Cell("−1.20 ± 0.10"),),))
    >>> print(latex([table]), end="")
    \begin{table}
    \centering
    \caption{Land \& sea}
    \label{tab:t}
    \begin{tabular}{l}
    \toprule
    Method \\
    \midrule
    $-$1.20 $\pm$ 0.10 \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    blocks = []
    for table in tables:
        numeric = [
            bool(table.rows) and all(row[i].kind == "number" for row in table.rows)
            for i in range(len(table.headers))
        ]
        rows = [" & ".join(escape(_full(cell)) for cell in row) + r" \\" for row in table.rows]
        blocks += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{''.join('r' if n else 'l' for n in numeric)}}}",
            r"\toprule",
            " & ".join(map(escape, table.headers)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(blocks) + "\n" if blocks else ""


def escape(text: str) -> str:
    r"""Return text so that LaTeX prints it as it is.

    Examples
    --------
    >>> print(escape("gcb_bands > 30° N"))
    gcb\_bands $>$ 30$^\circ$ N
    """
    return "".join(_LATEX.get(character, character) for character in text)


def citation_list(entries: Sequence[Citation]) -> str:
    """Return the list of what is to be cited as Markdown."""
    lines = ["# What to cite", ""]
    for entry in entries:
        text = entry.text or "**reference still to be found**"
        lines.append(f"- {entry.subject}: {text} ({entry.origin})")
        lines += [f"  <{link}>" for link in entry.links]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _full(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text
