"""What a page that is open to strangers has beside a page of one's own: visitors, their keys, limits."""
