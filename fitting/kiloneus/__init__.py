"""KiloNeuS: a surface as the signed distance field of thousands of tiny networks, one a cell.

mesh, or photographs -> NeuS -> teacher: distance, gradient, colour anywhere
                             -> cells the surface touches -> distilled, all at once -> (photographs again) -> .kilo
"""
