"""The glossary page, and the words that other pages explain."""
