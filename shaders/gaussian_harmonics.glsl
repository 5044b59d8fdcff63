// Colour of a Gaussian from real spherical harmonics up to degree 3, with the constants and signs of the original 3DGS
// (Kerbl, Kopanas, Leimkuehler, Drettakis 2023, "3D Gaussian Splatting for Real-Time Radiance Field Rendering";
// basis after Green 2003, "Spherical Harmonic Lighting: The Gritty Details").
//
// Reads: vec3 coefficient(int k), the RGB of coefficient k of the Gaussian at hand, which its source defines.
// Defines: harmonics_colour(). Returns: max(0, 0.5 + sum), linear in the coefficients, not clipped at 1.

vec3 harmonics_degree_2(vec3 d) {
    return 1.0925484305920792 * d.x * d.y * coefficient(4)
        - 1.0925484305920792 * d.y * d.z * coefficient(5)
        + 0.31539156525252005 * (2.0 * d.z * d.z - d.x * d.x - d.y * d.y) * coefficient(6)
        - 1.0925484305920792 * d.x * d.z * coefficient(7)
        + 0.5462742152960396 * (d.x * d.x - d.y * d.y) * coefficient(8);
}

vec3 harmonics_degree_3(vec3 d) {
    vec3 s = d * d;
    return -0.5900435899266435 * d.y * (3.0 * s.x - s.y) * coefficient(9)
        + 2.890611442640554 * d.x * d.y * d.z * coefficient(10)
        - 0.4570457994644658 * d.y * (4.0 * s.z - s.x - s.y) * coefficient(11)
        + 0.3731763325901154 * d.z * (2.0 * s.z - 3.0 * s.x - 3.0 * s.y) * coefficient(12)
        - 0.4570457994644658 * d.x * (4.0 * s.z - s.x - s.y) * coefficient(13)
        + 1.445305721320277 * d.z * (s.x - s.y) * coefficient(14)
        - 0.5900435899266435 * d.x * (s.x - 3.0 * s.y) * coefficient(15);
}

// `d`: unit direction from the camera to the Gaussian.
vec3 harmonics_colour(vec3 d, int degree) {
    vec3 colour = vec3(0.5) + SH_C0 * coefficient(0);
    if (degree > 0) {
        colour += 0.4886025119029199 * (d.z * coefficient(2) - d.y * coefficient(1) - d.x * coefficient(3));
    }
    if (degree > 1) colour += harmonics_degree_2(d);
    if (degree > 2) colour += harmonics_degree_3(d);
    return max(colour, vec3(0.0));
}
