"""Facts about weight files, from their headers and tensors."""
