// How a number of elements that only the GPU knows is cut into spans, one a workgroup.
// Reads: the plan that prefix_plan.comp wrote. Defines: plan, span_start(), span_end().
// Loops over a span take what they need of the plan into variables: a compiler has to assume that any store to a buffer
// changes it.

#ifndef PLAN_ACCESS
#define PLAN_ACCESS readonly
#endif

layout(std430, binding = PLAN_BINDING) PLAN_ACCESS buffer Plan {
    uint count;    // elements
    uint spans;    // with the next two, the arguments of an indirect dispatch; at least 1
    uint one_y;
    uint one_z;
    uint rounds;   // of round_size elements in each span
    uint round_size;
} plan;

uint span_start() { return gl_WorkGroupID.x * plan.rounds * plan.round_size; }

uint span_end() { return min(span_start() + plan.rounds * plan.round_size, plan.count); }
