#include "textflag.h"

// ROUND makes the elements of Y the nearest bfloat16: Y + 0x7FFF + the lowest bit that stays, less what is below it;
// each NaN the same. CONSTANTS come before it.
#define ROUND(Y, T, N) \
	VPSRLD    $16, Y, T;      \
	VPAND     Y13, T, T;      \
	VPADDD    Y12, T, T;      \
	VCMPPS    $3, Y, Y, N;    \
	VPADDD    T, Y, Y;        \
	VPAND     Y14, Y, Y;      \
	VBLENDVPS N, Y15, Y, Y

#define CONSTANTS \
	MOVL         $0x7FFF, R13;     \
	VMOVD        R13, X12;         \
	VPBROADCASTD X12, Y12;         \
	MOVL         $1, R13;          \
	VMOVD        R13, X13;         \
	VPBROADCASTD X13, Y13;         \
	MOVL         $0xFFFF0000, R13; \
	VMOVD        R13, X14;         \
	VPBROADCASTD X14, Y14;         \
	MOVL         $0x7FC00000, R13; \
	VMOVD        R13, X15;         \
	VPBROADCASTD X15, Y15

// func sumRoundedAVX2(outs **float32, near, all int, srcs **float32, count, off, end, flags int)
// 32 elements at a time go through four registers, as in sumAVX; each summand is rounded on its way.
TEXT ·sumRoundedAVX2(SB), NOSPLIT, $0-64
	MOVQ outs+0(FP), DI
	MOVQ near+8(FP), R8
	MOVQ all+16(FP), R12
	MOVQ srcs+24(FP), SI
	MOVQ count+32(FP), R9
	MOVQ off+40(FP), AX
	MOVQ end+48(FP), CX
	MOVQ flags+56(FP), DX
	CONSTANTS

loop:
	MOVQ    (SI), R10
	VMOVUPS (R10)(AX*1), Y0
	VMOVUPS 32(R10)(AX*1), Y1
	VMOVUPS 64(R10)(AX*1), Y2
	VMOVUPS 96(R10)(AX*1), Y3
	TESTQ   $1, DX
	JNZ     rest
	ROUND(Y0, Y8, Y9)
	ROUND(Y1, Y10, Y11)
	ROUND(Y2, Y8, Y9)
	ROUND(Y3, Y10, Y11)

rest:
	MOVQ $1, R11
	CMPQ R11, R9
	JGE  total

add:
	MOVQ    (SI)(R11*8), R10
	VMOVUPS (R10)(AX*1), Y4
	VMOVUPS 32(R10)(AX*1), Y5
	VMOVUPS 64(R10)(AX*1), Y6
	VMOVUPS 96(R10)(AX*1), Y7
	ROUND(Y4, Y8, Y9)
	ROUND(Y5, Y10, Y11)
	ROUND(Y6, Y8, Y9)
	ROUND(Y7, Y10, Y11)
	VADDPS  Y4, Y0, Y0
	VADDPS  Y5, Y1, Y1
	VADDPS  Y6, Y2, Y2
	VADDPS  Y7, Y3, Y3
	INCQ    R11
	CMPQ    R11, R9
	JLT     add

total:
	TESTQ $2, DX
	JNZ   stores
	ROUND(Y0, Y8, Y9)
	ROUND(Y1, Y10, Y11)
	ROUND(Y2, Y8, Y9)
	ROUND(Y3, Y10, Y11)

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

// func packAVX2(dst *byte, src *float32, n int)
// Two registers of rounded elements become one of their upper halves; VPACKUSDW works in each half, and VPERMQ puts
// the quarters in order.
TEXT ·packAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	CONSTANTS

pack:
	VMOVUPS   (SI), Y0
	VMOVUPS   32(SI), Y1
	ROUND(Y0, Y8, Y9)
	ROUND(Y1, Y10, Y11)
	VPSRLD    $16, Y0, Y0
	VPSRLD    $16, Y1, Y1
	VPACKUSDW Y1, Y0, Y0
	VPERMQ    $0xD8, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	SUBQ      $16, CX
	JNZ       pack
	VZEROUPPER
	RET

// func unpackAVX2(dst *float32, src *byte, n int)
TEXT ·unpackAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

unpack:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD    $16, Y0, Y0
	VPSLLD    $16, Y1, Y1
	VMOVUPS   Y0, (DI)
	VMOVUPS   Y1, 32(DI)
	ADDQ      $32, SI
	ADDQ      $64, DI
	SUBQ      $16, CX
	JNZ       unpack
	VZEROUPPER
	RET
