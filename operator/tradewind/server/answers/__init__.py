"""What the routes take and answer: one model each, from which validation, OpenAPI and the types of the front end are made."""
