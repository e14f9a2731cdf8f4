//go:build !purego

package kernel

import "golang.org/x/sys/windows"

// systemHasI8MM asks Windows for the matrix product of bytes (winnt.h, PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE), which golang.org/x/sys/cpu does not. A
// Windows that does not know the question answers no. GODEBUG's cpu.i8mm=off is not heeded there; cpu.asimddp=off is.
func systemHasI8MM() bool {
	const feature = 66
	ask := windows.NewLazySystemDLL("kernel32.dll").NewProc("IsProcessorFeaturePresent")
	if ask.Find() != nil {
		return false
	}
	yes, _, _ := ask.Call(feature)
	return yes != 0
}
