"""What a scene is, and the files it comes in: numpy only, never torch or OpenGL.

    .ply  ----------> Gaussians <---- decode ---- NeuralGaussians <---- .kilo ----> NeuralSurface
    cameras.json ---> Camera                         |                                   |
    transforms.json   Capture                     MlpBank                             MlpBank

    scene.json ---> SceneDescription ---> Stage: what is to be lit, and what its files hold

`open_scene` reads any scene file this package knows, by its content; `load_scene` those of Gaussians.
"""
