"""The downloads drawer in the header of each page, and the page of downloads."""
