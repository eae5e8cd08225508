"""What a run leaves for its reader: tables, figures and one page, made from the finished totals.

Read in this order: `tables` (the numbers), `style` and `figures` (the pictures), `page` (both,
with their meaning and their origin).  Nothing here computes a new quantity: what is drawn or
written comes from `hpcbudget.science` or straight from the totals.
"""

from __future__ import annotations
