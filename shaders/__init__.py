"""GLSL sources, `domain_name.stage`, and nothing else; `renderer/shader_library.py` puts them together."""
