// Package page is the web page of the server: chats, runs, samples and evaluations as a person looks at them.
//
// It holds the page's files and the routes that only the page uses; whatever talks to a model goes through the server's own API. It
// starts nothing, trains nothing and asks no other host. It does not check who asks: the server mounts it behind its checks.
//
// Invariants:
//   - The page runs only script from this server, and none that is made of a text: its policy forbids inline script and HTML from strings,
//     also to the page itself. A text of a model becomes text nodes.
//   - Nothing is read outside the folders of Options, through no symbolic link, and only regular files of a bounded size.
//   - Runs are read and never written. The folder of conversations is the one that is written, one file each, whole or not at all.
//   - LaTeX becomes a tree of MathML elements of a fixed list without attributes from outside; what is not understood is shown as it was written.
package page
