// Scans over the THREADS threads of a workgroup, without subgroup operations.
// Defines: synchronise(), exclusive_scan(). Both must be reached by every thread of the workgroup.

shared uint scan_sums[2 * THREADS];

void synchronise() {
    memoryBarrierShared();
    barrier();
}

// Returns the sum of `value` over the threads before this one; `total` is the sum over all.
// W. D. Hillis, G. L. Steele: Data Parallel Algorithms, 1986.
uint exclusive_scan(uint value, out uint total) {
    uint thread = gl_LocalInvocationIndex;
    uint half_used = 0u;
    scan_sums[thread] = value;
    for (uint reach = 1u; reach < uint(THREADS); reach *= 2u) {
        synchronise();
        uint sum = scan_sums[half_used + thread];
        if (thread >= reach) sum += scan_sums[half_used + thread - reach];
        half_used = uint(THREADS) - half_used;
        scan_sums[half_used + thread] = sum;
    }
    synchronise();
    total = scan_sums[half_used + uint(THREADS) - 1u];
    uint before = scan_sums[half_used + thread] - value;
    synchronise(); // before a next call writes over it
    return before;
}
