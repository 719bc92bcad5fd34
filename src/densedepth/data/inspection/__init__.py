"""Looking at a data set before training on it: layout, pairs, unit, holes, alignment, duplicates, splits."""

from densedepth.data.inspection.findings import CODES, SEVERITIES, Finding
from densedepth.data.inspection.inspection import Inspection, inspect_dataset
from densedepth.data.inspection.page import write_page
from densedepth.data.inspection.recipe import write_recipe

__all__ = ["CODES", "SEVERITIES", "Finding", "Inspection", "inspect_dataset", "write_page", "write_recipe"]
