package compute

// Measure returns the bytes that a program of p takes beside weights and keys and values: what Program.ActivationBytes
// says, and its tables. It allocates none of them.
func (c *CPU) Measure(p *Plan, l Limits) (int64, error) {
	l.ownBlocks = p.Layers == 0
	scratch, shared := 0, 0
	times := make([]int, len(p.Ops))
	var forward, backward []stage
	for i, op := range p.Ops {
		if err := checkOp(op); err != nil {
			return 0, err
		}
		if s, ok := op.(needsScratch); ok {
			scratch = max(scratch, s.scratchFloats(p, &l))
		}
		if s, ok := op.(needsShared); ok {
			shared = max(shared, s.sharedFloats(p, &l))
		}
		if i < p.Forward {
			addToStages(p, &forward, op)
		} else {
			addToStages(p, &backward, op)
		}
		times[i] = len(forward) + len(backward)
	}
	memory := planMemory(p, &l, times, c.pool.Threads())
	worker := scratch + memory.window + roundedWords(p, &Buffers{}) + unpackedWords(p, &Buffers{})
	floats := int64(memory.total) + int64(shared) + int64(c.pool.Threads())*int64(worker)
	return 4 * floats, nil
}
