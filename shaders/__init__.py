"""GLSL sources, `domain_name.stage`; `renderer/shader_library.py` puts them together. Nothing but shaders lives here."""
