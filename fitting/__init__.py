"""Offline fitting: torch, numba and taichi, never OpenGL.

Gaussians -> neuralgs/ -> NeuralGaussians        `rasterize.py` is the differentiable rasteriser both sides share
"""
