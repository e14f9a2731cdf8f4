// Package train updates weights: SFT, logit distillation, on-policy distillation, GRPO and its
// relatives; optimiser, schedules, checkpoints (through `weights` into `runstore`'s atomic folder).
//
// It does not make data, grade answers, load models, log or print: examples, problems and a Grader
// come in, metrics and samples go to a Recorder, and every loop takes a context and a Progress
// callback.
//
// Invariants:
//   - A loss is a mean over the whole optimiser batch, so a gradient does not depend on how the
//     batch was cut into microbatches (up to rounding) and no bit depends on the number of threads.
//   - Everything that decides what happens next (weights, moments, step, data position, request
//     counter, reference weights, watchdog history) is in the checkpoint: a run that was killed and
//     resumed writes the same weights, metrics and samples as one that was not.
//   - The policy's old log-probabilities are the engine's; the trainer's first pass must give the
//     same bits, and the largest difference is a metric of each step.
//   - An answer that cannot be judged is dropped and counted. It is never reward 0.
//
// Letters are those of package compute: T tokens (rows) in a batch, R wanted rows, V vocabulary.
package train
