"""Everything that calls OpenGL: the only package that imports moderngl, and it never imports torch.

    Gaussians ------------------------ upload --.
    NeuralGaussians -- upload -- decode (bank) --+--> gpu_gaussians     geometry and SH, one entry a Gaussian
                                                      |
    Camera --> depth_order (numpy: cull, sort)     project              one Record a Gaussian: centre, axes, colour
                    |                                 |
                    '------ order ---------------> quads                front to back, into an RGBA32F target
                                                      |
                                    images, flythrough, the window's framebuffer

`layouts.py` declares constants and buffers for both sides; `shader_library.py` loads `shaders/`.
"""
