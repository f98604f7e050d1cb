"""Any frame or file becomes a canonical typed table; whatever is wrong with the data is said here."""

from automl.intake.containers import open_table
from automl.intake.ingest import Intake, ingest
from automl.intake.refusals import DataTypeError
from automl.intake.schema import Schema
from automl.intake.unread import UnreadValues
from automl.intake.wrap import Container

__all__ = ["Container", "DataTypeError", "Intake", "Schema", "UnreadValues", "ingest", "open_table"]
