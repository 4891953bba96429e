"""A pass as words, a graph, data, or a page."""
