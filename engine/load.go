package engine

// Load is what an engine is busy with.
type Load struct {
	// Jobs is the number of calls that are not over, Running the samples in the batch, Waiting the samples that wait for a place in it.
	// Samples that follow another one of their request wait only once its prompt is read.
	Jobs, Running, Waiting int
	// Blocks is the number of KV blocks, Held how many running samples hold, Kept how many are kept for later requests.
	Blocks, Held, Kept int
}

// Load returns what there was after the last finished step, and what has been submitted since.
func (e *Engine) Load() Load {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.load
	l.Jobs += len(e.inbox)
	for _, j := range e.inbox {
		for i := range j.seqs {
			if !j.seqs[i].follows {
				l.Waiting++
			}
		}
	}
	return l
}

// load counts for Engine.Load.
func (s *scheduler) load() Load {
	l := Load{Jobs: len(s.jobs), Running: len(s.running), Blocks: len(s.blocks.blocks), Kept: s.blocks.numCached}
	l.Held = l.Blocks - s.blocks.available()
	for _, j := range s.jobs {
		l.Waiting += len(j.waiting)
	}
	return l
}
