package compute

import "github.com/retort-ml/retort/internal/kernel"

// SwiGLU is Y = silu(gate)·up (Shazeer 2020, eq. 5) for GateUp rows that hold gate and up side by side.
//
//	GateUp [rows,2F]   Y [rows,F]
type SwiGLU struct {
	GateUp, Y TensorID
}

// SwiGLU appends a SwiGLU op and returns its output [rows,F].
func (p *Plan) SwiGLU(gateUp TensorID) TensorID {
	info := p.Tensors[gateUp]
	y := p.tensor(info.Name+".swiglu", info.Rows, info.Cols/2)
	p.emit(&SwiGLU{gateUp, y})
	return y
}

// Name implements Op.
func (o *SwiGLU) Name() string { return "SwiGLU" }

func (o *SwiGLU) reads() []TensorID       { return []TensorID{o.GateUp} }
func (o *SwiGLU) writes() []TensorID      { return []TensorID{o.Y} }
func (o *SwiGLU) rowKind(p *Plan) RowKind { return p.Tensors[o.Y].Rows }

func (o *SwiGLU) runRows(r *run, worker, lo, hi int) {
	f, n := r.plan.cols(o.Y), hi-lo
	kernel.SwiGLU(r.from(worker, o.Y, lo)[:n*f], r.from(worker, o.GateUp, lo)[:2*n*f], n, f)
}

func (o *SwiGLU) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	dgu, _ := b.grad(o.GateUp)
	b.emit(&SwiGLUBackward{GateUp: o.GateUp, DY: dy, DGateUp: dgu})
}

// SwiGLUBackward is dgate = dy·up·σ(gate)(1+gate(1−σ(gate))), dup = dy·silu(gate).
type SwiGLUBackward struct {
	noAdjoint
	GateUp, DY, DGateUp TensorID
}

// Name implements Op.
func (o *SwiGLUBackward) Name() string { return "SwiGLUBackward" }

func (o *SwiGLUBackward) reads() []TensorID       { return []TensorID{o.GateUp, o.DY} }
func (o *SwiGLUBackward) writes() []TensorID      { return []TensorID{o.DGateUp} }
func (o *SwiGLUBackward) rowKind(p *Plan) RowKind { return p.Tensors[o.DY].Rows }

func (o *SwiGLUBackward) runRows(r *run, _, lo, hi int) {
	f := r.plan.cols(o.DY)
	kernel.SwiGLUBackward(r.view(o.DGateUp)[2*lo*f:2*hi*f], r.view(o.DY)[lo*f:hi*f], r.view(o.GateUp)[2*lo*f:2*hi*f], hi-lo, f)
}
