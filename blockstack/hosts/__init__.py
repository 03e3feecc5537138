"""Other tools' output, read into stacks and workloads: text in, model out, no subprocess."""
