#include "textflag.h"

// func weighAVX2(p *byte, n int, first *[8]uint32) uint64
// Even words are multiplied by the even weights in Y0, odd ones by the odd weights in Y1, which a block of eight words
// moves on by Y2: 16 times the weight of package link, modulo 2^32.
TEXT ·weighAVX2(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ first+16(FP), DX
	VMOVDQU (DX), Y0
	VPSRLQ  $32, Y0, Y1
	MOVL    $0xE3779B10, AX
	VMOVD   AX, X2
	VPBROADCASTD X2, Y2
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	ADDQ    SI, CX

loop:
	VMOVDQU  (SI), Y6
	VPSRLQ   $32, Y6, Y7
	VPMULUDQ Y6, Y0, Y6
	VPMULUDQ Y7, Y1, Y7
	VPADDQ   Y6, Y4, Y4
	VPADDQ   Y7, Y5, Y5
	VPADDD   Y2, Y0, Y0
	VPADDD   Y2, Y1, Y1
	ADDQ     $32, SI
	CMPQ     SI, CX
	JLT      loop

	VPADDQ       Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPADDQ       X5, X4, X4
	VPSRLDQ      $8, X4, X5
	VPADDQ       X5, X4, X4
	VMOVQ        X4, AX
	MOVQ         AX, ret+24(FP)
	VZEROUPPER
	RET
