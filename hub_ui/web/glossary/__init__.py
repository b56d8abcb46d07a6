"""The glossary: what the words of the page mean, from the table that the page itself takes them from."""
