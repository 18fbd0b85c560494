"""What is made from the table of routes: OpenAPI, and the types of the front end."""
