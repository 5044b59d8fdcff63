"""Everything that calls OpenGL: the only package that imports moderngl, and it never imports torch.

    Gaussians ------- gpu_gaussians --.                            16-bit geometry and SH, one entry a Gaussian
    NeuralGaussians - decode ---------+--> projection --.
          '---------- resident -----------> (decodes) --+--> FrameBuffers     a Record and a sort key for each Gaussian
                                                        |
                             radix_sort (GPU), or depth_order (numpy)         nearest first
                                                        |
                                                  overdraw_guard              what the budget of pixels is enough for
                                                        |
                                         tiles (compute), or quads (draw)     front to back, into an RGBA32F target
                                                        |
                                         images, flythrough, the window's framebuffer

`frame_paths` strings these together, and has the way without compute shaders (`feedback`, OpenGL 4.1) beside it;
`gaussian_renderer` is what others use. `reference` and `reference_views` are the exact twins, in numpy. `layouts`
declares constants and buffers for both sides; `shader_library` loads `shaders/`. Nothing is read back within a frame.

    NeuralSurface --- gpu_surface     cells and how far each is from the next occupied one; networks as packed_bank lays
                           |          them out
                     surface_passes   trace, normal, shade; or view; or slice: images of a size, surface_targets
                           |
                     surface_renderer samples added up, into the same target

Its exact twins are `surface_reference` (the march), `camera_rays` and `surface_views`.

`together` draws both in one picture: each sample of the surface gives a depth, at which `tiles` and `quads` leave
Gaussians out. Its twin is `together_reference`. `scene_settings` has the settings of both kinds.

    Stage ----------- path_scene      objects, materials, lights as tables; path_bvh, path_environment
                           |
                     path_passes      begin; meet, shade, block for each vertex of all paths; add
                           |          path_surface: the same march through neural surfaces
                     path_tracer      samples added up; tone_mapping

Its twin is `path_reference`, with `path_random`, `path_shapes`, `path_lights` and `path_materials`.
"""
