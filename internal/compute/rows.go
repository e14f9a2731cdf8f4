package compute

// GatherRows keeps the wanted rows: Y[i] = X[Rows[i]].
//
//	X [T,C]   Y [R,C]
type GatherRows struct {
	X, Y TensorID
}

// GatherRows appends a GatherRows op and returns its output [R,C].
func (p *Plan) GatherRows(x TensorID) TensorID {
	y := p.tensor("wanted", WantedRows, p.cols(x))
	p.emit(&GatherRows{x, y})
	return y
}

// Name implements Op.
func (o *GatherRows) Name() string { return "GatherRows" }

func (o *GatherRows) reads() []TensorID     { return []TensorID{o.X} }
func (o *GatherRows) writes() []TensorID    { return []TensorID{o.Y} }
func (o *GatherRows) rowKind(*Plan) RowKind { return WantedRows }

func (o *GatherRows) runRows(r *run, _, lo, hi int) {
	c, x, y := r.plan.cols(o.X), r.view(o.X), r.view(o.Y)
	for i := lo; i < hi; i++ {
		row := int(r.batch.Rows[i])
		copy(y[i*c:(i+1)*c], x[row*c:(row+1)*c])
	}
}

func (o *GatherRows) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	dx, _ := b.grad(o.X)
	b.flush()
	b.emit(&ScatterRows{DY: dy, DX: dx})
}

// ScatterRows spreads the gradients of the wanted rows over all rows; the others become zero.
type ScatterRows struct {
	noAdjoint
	DY, DX TensorID
}

// Name implements Op.
func (o *ScatterRows) Name() string { return "ScatterRows" }

func (o *ScatterRows) reads() []TensorID     { return []TensorID{o.DY} }
func (o *ScatterRows) writes() []TensorID    { return []TensorID{o.DX} }
func (o *ScatterRows) rowKind(*Plan) RowKind { return TokenRows }

func (o *ScatterRows) runRows(r *run, _, lo, hi int) {
	c, dx, dy := r.plan.cols(o.DX), r.view(o.DX), r.view(o.DY)
	for t := lo; t < hi; t++ {
		i := int(r.wantedAt[t])
		if i < 0 {
			clear(dx[t*c : (t+1)*c])
			continue
		}
		copy(dx[t*c:(t+1)*c], dy[i*c:(i+1)*c])
	}
}
