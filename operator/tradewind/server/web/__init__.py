"""HTTP: from requests to questions, and from answers to responses."""
