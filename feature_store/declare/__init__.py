"""The way users write views and services, and what is refused."""
