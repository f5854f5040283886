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

	// Two blocks at a time, while there are two: their weights are in Y0, Y1 and Y8, Y9, and move on by Y3.
	VPADDD Y2, Y0, Y8
	VPADDD Y2, Y1, Y9
	VPADDD Y2, Y2, Y3
	VPXOR  Y10, Y10, Y10
	VPXOR  Y11, Y11, Y11
	LEAQ   -32(CX), DX
	CMPQ   SI, DX
	JGE    loop

pair:
	VMOVDQU  (SI), Y6
	VMOVDQU  32(SI), Y12
	VPSRLQ   $32, Y6, Y7
	VPSRLQ   $32, Y12, Y13
	VPMULUDQ Y6, Y0, Y6
	VPMULUDQ Y7, Y1, Y7
	VPMULUDQ Y12, Y8, Y12
	VPMULUDQ Y13, Y9, Y13
	VPADDD   Y3, Y0, Y0
	VPADDD   Y3, Y1, Y1
	VPADDD   Y3, Y8, Y8
	VPADDD   Y3, Y9, Y9
	VPADDQ   Y6, Y4, Y4
	VPADDQ   Y7, Y5, Y5
	VPADDQ   Y12, Y10, Y10
	VPADDQ   Y13, Y11, Y11
	ADDQ     $64, SI
	CMPQ     SI, DX
	JLT      pair
	VPADDQ   Y10, Y4, Y4
	VPADDQ   Y11, Y5, Y5
	CMPQ     SI, CX
	JGE      fold

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

fold:
	VPADDQ       Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPADDQ       X5, X4, X4
	VPSRLDQ      $8, X4, X5
	VPADDQ       X5, X4, X4
	VMOVQ        X4, AX
	MOVQ         AX, ret+24(FP)
	VZEROUPPER
	RET
