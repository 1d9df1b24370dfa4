"""From a plan to what people ask of it: tables, reasons and alternatives."""
