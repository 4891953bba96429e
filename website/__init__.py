"""The site: `python -m website` stages its pages in build/docs, where MkDocs finds them.

What is written by hand lies in docs/ and is readable there. Staging adds what is made of the code:
files that pages link to, the API's pages, the table of formulas, explained backward passes.
"""
