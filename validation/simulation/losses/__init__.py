"""The training loss of one data set as a function of the student, for every kind of model."""
