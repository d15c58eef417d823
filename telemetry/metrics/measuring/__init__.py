"""What measures: instruments with a limit of label sets, which look up once where a measurement goes."""
