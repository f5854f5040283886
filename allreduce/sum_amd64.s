#include "textflag.h"

// func sumAVX(outs **float32, near, all int, srcs **float32, count, off, end int)
// 32 elements at a time go through four registers: first source, plus each of the others, to all outs. All loads of
// an element come before its stores, so outs may be sources.
TEXT ·sumAVX(SB), NOSPLIT, $0-56
	MOVQ outs+0(FP), DI
	MOVQ near+8(FP), R8
	MOVQ all+16(FP), R12
	MOVQ srcs+24(FP), SI
	MOVQ count+32(FP), R9
	MOVQ off+40(FP), AX
	MOVQ end+48(FP), CX

loop:
	MOVQ    (SI), R10
	VMOVUPS (R10)(AX*1), Y0
	VMOVUPS 32(R10)(AX*1), Y1
	VMOVUPS 64(R10)(AX*1), Y2
	VMOVUPS 96(R10)(AX*1), Y3
	MOVQ    $1, R11
	CMPQ    R11, R9
	JGE     stores

add:
	MOVQ   (SI)(R11*8), R10
	VADDPS (R10)(AX*1), Y0, Y0
	VADDPS 32(R10)(AX*1), Y1, Y1
	VADDPS 64(R10)(AX*1), Y2, Y2
	VADDPS 96(R10)(AX*1), Y3, Y3
	INCQ   R11
	CMPQ   R11, R9
	JLT    add

stores:
	XORQ R11, R11
	CMPQ R11, R8
	JGE  streams

store:
	MOVQ    (DI)(R11*8), R10
	VMOVUPS Y0, (R10)(AX*1)
	VMOVUPS Y1, 32(R10)(AX*1)
	VMOVUPS Y2, 64(R10)(AX*1)
	VMOVUPS Y3, 96(R10)(AX*1)
	INCQ    R11
	CMPQ    R11, R8
	JLT     store

streams:
	CMPQ R11, R12
	JGE  next

stream:
	MOVQ     (DI)(R11*8), R10
	VMOVNTPS Y0, (R10)(AX*1)
	VMOVNTPS Y1, 32(R10)(AX*1)
	VMOVNTPS Y2, 64(R10)(AX*1)
	VMOVNTPS Y3, 96(R10)(AX*1)
	INCQ     R11
	CMPQ     R11, R12
	JLT      stream

next:
	ADDQ $128, AX
	CMPQ AX, CX
	JLT  loop
	SFENCE
	VZEROUPPER
	RET

// func sumTreeAVX(outs **float32, near, all int, srcs **float32, count, off, end int)
// 32 elements at a time: count is 4 or 8, sources are added two by two, and the sums two by two again, then go to all
// outs. All loads of an element come before its stores, so outs may be sources.
TEXT ·sumTreeAVX(SB), NOSPLIT, $0-56
	MOVQ outs+0(FP), DI
	MOVQ near+8(FP), R8
	MOVQ all+16(FP), R12
	MOVQ srcs+24(FP), SI
	MOVQ count+32(FP), R9
	MOVQ off+40(FP), AX
	MOVQ end+48(FP), CX

loop:
	MOVQ    (SI), R10
	VMOVUPS (R10)(AX*1), Y0
	VMOVUPS 32(R10)(AX*1), Y1
	VMOVUPS 64(R10)(AX*1), Y2
	VMOVUPS 96(R10)(AX*1), Y3
	MOVQ    8(SI), R10
	VADDPS  (R10)(AX*1), Y0, Y0
	VADDPS  32(R10)(AX*1), Y1, Y1
	VADDPS  64(R10)(AX*1), Y2, Y2
	VADDPS  96(R10)(AX*1), Y3, Y3
	MOVQ    16(SI), R10
	VMOVUPS (R10)(AX*1), Y4
	VMOVUPS 32(R10)(AX*1), Y5
	VMOVUPS 64(R10)(AX*1), Y6
	VMOVUPS 96(R10)(AX*1), Y7
	MOVQ    24(SI), R10
	VADDPS  (R10)(AX*1), Y4, Y4
	VADDPS  32(R10)(AX*1), Y5, Y5
	VADDPS  64(R10)(AX*1), Y6, Y6
	VADDPS  96(R10)(AX*1), Y7, Y7
	VADDPS  Y4, Y0, Y0
	VADDPS  Y5, Y1, Y1
	VADDPS  Y6, Y2, Y2
	VADDPS  Y7, Y3, Y3
	CMPQ    R9, $8
	JNE     stores
	MOVQ    32(SI), R10
	VMOVUPS (R10)(AX*1), Y4
	VMOVUPS 32(R10)(AX*1), Y5
	VMOVUPS 64(R10)(AX*1), Y6
	VMOVUPS 96(R10)(AX*1), Y7
	MOVQ    40(SI), R10
	VADDPS  (R10)(AX*1), Y4, Y4
	VADDPS  32(R10)(AX*1), Y5, Y5
	VADDPS  64(R10)(AX*1), Y6, Y6
	VADDPS  96(R10)(AX*1), Y7, Y7
	MOVQ    48(SI), R10
	VMOVUPS (R10)(AX*1), Y8
	VMOVUPS 32(R10)(AX*1), Y9
	VMOVUPS 64(R10)(AX*1), Y10
	VMOVUPS 96(R10)(AX*1), Y11
	MOVQ    56(SI), R10
	VADDPS  (R10)(AX*1), Y8, Y8
	VADDPS  32(R10)(AX*1), Y9, Y9
	VADDPS  64(R10)(AX*1), Y10, Y10
	VADDPS  96(R10)(AX*1), Y11, Y11
	VADDPS  Y8, Y4, Y4
	VADDPS  Y9, Y5, Y5
	VADDPS  Y10, Y6, Y6
	VADDPS  Y11, Y7, Y7
	VADDPS  Y4, Y0, Y0
	VADDPS  Y5, Y1, Y1
	VADDPS  Y6, Y2, Y2
	VADDPS  Y7, Y3, Y3

stores:
	XORQ R11, R11
	CMPQ R11, R8
	JGE  streams

store:
	MOVQ    (DI)(R11*8), R10
	VMOVUPS Y0, (R10)(AX*1)
	VMOVUPS Y1, 32(R10)(AX*1)
	VMOVUPS Y2, 64(R10)(AX*1)
	VMOVUPS Y3, 96(R10)(AX*1)
	INCQ    R11
	CMPQ    R11, R8
	JLT     store

streams:
	CMPQ R11, R12
	JGE  next

stream:
	MOVQ     (DI)(R11*8), R10
	VMOVNTPS Y0, (R10)(AX*1)
	VMOVNTPS Y1, 32(R10)(AX*1)
	VMOVNTPS Y2, 64(R10)(AX*1)
	VMOVNTPS Y3, 96(R10)(AX*1)
	INCQ     R11
	CMPQ     R11, R12
	JLT      stream

next:
	ADDQ $128, AX
	CMPQ AX, CX
	JLT  loop
	SFENCE
	VZEROUPPER
	RET
