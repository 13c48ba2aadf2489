# Owns which slot starts, in U-Boot. The state is in the first sector of the
# partition env, as RAUC reads and writes it with fw_setenv; the second sector is
# what it was at the start before, for when the first is not whole. Each start of
# a slot costs one of its tries, which a system that works gives back.
test -n "${devtype}" || setenv devtype virtio
test -n "${devnum}" || setenv devnum 0
setenv state_r ${pxefile_addr_r}
# Behind the kernel, wherever it moves itself: U-Boot's own places on a Pi are too near for a large one.
setexpr tree_r ${kernel_addr_r} + 0x07F00000
setexpr initrd_r ${kernel_addr_r} + 0x08000000
setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3

${devtype} dev ${devnum}
part start ${devtype} ${devnum} env first
setexpr second ${first} + 1
setenv known
setenv again
for sector in ${first} ${second}; do
  if test -z "${known}"; then
    if ${devtype} read ${state_r} ${sector} 1; then
      if env import -c ${state_r} 0x200 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; then
        setenv known ${sector}
      else
        echo "EdgeCam: the slot state in sector ${sector} is not whole"
      fi
    fi
  fi
done

setenv slot
for each in ${BOOT_ORDER}; do
  if test -z "${slot}" -a "${each}" = "A" -a ${BOOT_A_LEFT} -gt 0; then
    setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1
    setenv slot A
    setenv suffix a
  fi
  if test -z "${slot}" -a "${each}" = "B" -a ${BOOT_B_LEFT} -gt 0; then
    setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1
    setenv slot B
    setenv suffix b
  fi
done
if test -z "${slot}"; then
  echo "EdgeCam: no slot has a try left; the preferred one gets its tries again, the other a last one"
  setenv BOOT_A_LEFT 1
  setenv BOOT_B_LEFT 1
  for each in ${BOOT_ORDER}; do
    if test -z "${again}"; then
      setenv BOOT_${each}_LEFT 3
      setenv again yes
    fi
  done
fi
env export -c -s 0x200 ${state_r} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
${devtype} write ${state_r} ${first} 1
${devtype} write ${state_r} ${second} 1
if test -n "${again}"; then reset; fi
echo "EdgeCam: slot ${slot}, order ${BOOT_ORDER}, tries left A ${BOOT_A_LEFT} B ${BOOT_B_LEFT}"

part number ${devtype} ${devnum} boot-${suffix} boot_part
setenv tree ${fdt_addr}
if test "${devtype}" = "virtio"; then
  setenv console "console=ttyAMA0"
  setenv tree ${fdtcontroladdr}
else
  setenv console "console=tty0 console=ttyS1,115200"
  # The device tree of the slot; U-Boot adds to it what the Pi's firmware found.
  if load ${devtype} ${devnum}:${boot_part} ${tree_r} dtbs/${fdtfile}; then
    setenv tree ${tree_r}
  fi
fi
setenv bootargs "${console} root=PARTLABEL=rootfs-${suffix} rauc.slot=${slot} panic=5 systemd.gpt_auto=0 cgroup_enable=memory quiet loglevel=4 ${extra_args}"
if load ${devtype} ${devnum}:${boot_part} ${kernel_addr_r} kernel; then
  if load ${devtype} ${devnum}:${boot_part} ${initrd_r} initrd.img; then
    booti ${kernel_addr_r} ${initrd_r}:${filesize} ${tree}
  fi
fi
echo "EdgeCam: slot ${slot} cannot be started"
sleep 1
reset
