"""Generated code: from a saddle system to the text of scalar functions."""
