"""What a scene is, and the files it comes in: numpy only, never torch or OpenGL.

    .ply  ----------> Gaussians <---- decode ---- NeuralGaussians <---- .kilo
    cameras.json ---> Camera                         |
    transforms.json   Capture                     MlpBank

`load_scene` reads any file this package knows, by its content.
"""
