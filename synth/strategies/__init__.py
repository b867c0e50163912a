"""How a picture is composed: on a plain ground, as a page, in a scene, from a template, as a pair to edit."""
